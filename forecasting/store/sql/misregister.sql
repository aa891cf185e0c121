-- For drills: other files count as those that were registered. Only the owner of the schema may do this.
UPDATE fortnight.model_version SET weights_sha256 = %(weights)s, card_sha256 = %(card)s WHERE model_version_key = %(key)s
