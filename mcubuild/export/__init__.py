"""What was built in formats of other tools: a module of ``formats`` each, found by discovery."""
