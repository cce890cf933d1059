"""The counting rules of QKeras's QTools with all their quirks, digit for digit.

Nothing in this package is physics: it reproduces what QTools prints.
"""
