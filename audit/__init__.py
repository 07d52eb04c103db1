"""The audit log: every act of a person, with its time and address."""
