"""The proof: what had to go is searched in the finished bytes, not assumed gone because a rule ran."""
