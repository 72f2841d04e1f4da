"""What the judge is made of: which candidates it is shown, in which words, how it is asked, and its tournaments."""
