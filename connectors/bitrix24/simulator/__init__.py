"""What a Bitrix24 portal keeps and how it answers, for the sandbox."""
