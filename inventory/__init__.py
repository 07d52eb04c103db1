"""The inventory: the workbook of recorders and every other table that people import."""
