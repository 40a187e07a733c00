"""The checker: everything that is wrong with a bundle, and what is legal but surely not meant.  Nothing is made."""
