"""The main job from end to end on two real Kafka clusters: record, look, clean, prove, replay, prove again."""
