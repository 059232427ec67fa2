"""The brain atlas and where the electrodes are in it: ontology, annotation volume, histology files. Axes are turned in `vocabulary.frame`."""
