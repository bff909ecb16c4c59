-- Nothing asks for 0034's index any more; 0064 has taken its place.
ALTER TABLE spans DROP INDEX IF EXISTS attribute_values
