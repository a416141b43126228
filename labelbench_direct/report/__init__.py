"""What results show: curves, labels saved, pictures, a sentence. Reads files alone; the only part that draws."""
