"""Which application roles let a call through (section "permissions" of each page of the API reference)."""

READ = ("Mail.Read", "Mail.ReadWrite")
WRITE = ("Mail.ReadWrite",)
SEND = ("Mail.Send",)
READ_SETTINGS = ("MailboxSettings.Read", "MailboxSettings.ReadWrite")
WRITE_SETTINGS = ("MailboxSettings.ReadWrite",)
SUBSCRIBE = ("Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite")
ANY = (*SUBSCRIBE, *SEND, *READ_SETTINGS)
