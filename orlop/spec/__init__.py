"""The config: from bytes to a checked document, the tables that check it, the template and the list of features."""
