"""The miniature DALP: image, charts, contract, configuration in Git, traffic and backups."""
