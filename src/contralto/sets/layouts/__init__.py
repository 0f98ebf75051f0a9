"""How the published sets lie on disk: a module a kind of file, a reader a set.

A reader takes the set's root folder, a split and the declared classes, and gives the split's items. The registry names
it `module:function`; it is imported when the set is opened. `found` (files) and `labels` (classes) serve them all.
"""
