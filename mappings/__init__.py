"""Pure decisions: functions from records to records. No socket, no file, no clock."""
