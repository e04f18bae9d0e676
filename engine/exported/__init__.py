"""Exported voices: a folder with a readable card and the weights, to be used elsewhere.

Such a folder may come from a stranger. Whatever is read of it is checked before it is used, and
nothing but its few files of fixed names is opened.
"""
