"""The simple models that Tandem has to beat on the same split, one a module.

Every peer is fitted on the training interactions alone and then sees, like Tandem, each case's history.
What a peer leaves open is chosen on the validation cases, over a small grid.
"""
