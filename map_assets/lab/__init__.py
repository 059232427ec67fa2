"""The registry that people edit: subjects, probe insertions, people, rigs, each change with who, when and from where. Rooms see `vocabulary.subject`."""
