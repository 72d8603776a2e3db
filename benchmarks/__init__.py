"""Speed and memory beside peers, measured in the same run; nothing here is a test."""
