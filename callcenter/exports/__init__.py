"""Personal data taken out of the house: asked for with a reason, approved by another person, on record."""
