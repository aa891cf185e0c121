"""Colours of pictures, which tell series of points apart on white also for those who see few colours."""

ACTUAL, MODEL, NAIVE = "#333333", "#0b6fa4", "#c2410c"
OTHERS = (MODEL, ACTUAL, "#15803d", "#7e22ce", "#a16207", "#be185d")
