"""What templates can say: see show.py."""
