"""What people get to read: the published results, tables, the terminal, a page for each student.

`results` is the published schema, `tables` the CSV files, `console` the terminal, `html` the page;
`forms` has all that one notebook's check can be told in, `subject` what these are made from.
`feedback` says in plain values what there is to say of one grade; console and html only show it.
Nothing here decides a point, and nothing here trusts a word that came from a student.
"""
