"""What happened, as numbers. Frames of facts in, additive tables by day, channel and segment out.

Facts (pandas):

- orders: `order` (any id), `person_id` (None: nobody known), `channel`, `at` (aware), `day` (local date), `total`,
  `currency`. Sales only, one row a sale: no copies, none that was cancelled or that its system calls returned.
- contacts: `person_id`, `channel`, `kind`, `campaign`, `reference`, `value`, `at`, `day`.
- members: `person_id, segment`, the segments that a person is in.

Every table has `day`, `channel` and `segment` where they apply, the sums that add up over days and channels, `value`
made of these sums, and `n`, the number of things it is a value of. Segments overlap, so they do not add up; the segment
`all` is everybody, those in no segment and those whom nobody knows included.
"""
