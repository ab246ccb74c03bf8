"""The capture on disk: FORMAT.md is the specification, these modules its reader and writer."""
