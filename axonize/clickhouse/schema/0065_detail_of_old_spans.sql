-- For the spans that were there before, whose other columns go when it is done. It may take minutes, and no statement may.
ALTER TABLE spans
    MATERIALIZE COLUMN detail,
    MATERIALIZE COLUMN attribute_hashes,
    MATERIALIZE INDEX attribute_hashes_bloom
SETTINGS mutations_sync = 0
