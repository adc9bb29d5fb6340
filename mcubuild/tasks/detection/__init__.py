"""Object detection: boxes around what is in a picture, by YOLOv2's head (Redmon and Farhadi, arXiv 1612.08242)."""
