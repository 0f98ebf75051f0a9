"""What one does with a picture and words: explain a cosine, detect things, look again at an unclear picture."""
