"""The registry as CSV: what operators set, written out, edited elsewhere, and read in again after a preview."""
