"""The report: its text, and its build from the results and the code."""
