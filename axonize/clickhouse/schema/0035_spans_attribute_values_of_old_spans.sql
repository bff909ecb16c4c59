-- For the spans that were there before the index; it goes on in the background.
ALTER TABLE spans MATERIALIZE INDEX attribute_values
