"""Importers read files of other systems; the operations write the records, as they do for the API."""
