"""What came out of a build: report.json for machines, report.html for people, a table for the terminal."""
