"""A set measured under another condition: the same items with their pictures change_picture, or asked something else.

Read lazy.py, then whichever is of interest: corruptions/ (noise, blur, weather, digital), typographic.py (a wrong name
written on the picture), sizes.py (the picture made small), questions.py (negation, fine distinctions). Each is a
function from a DataSet to a DataSet; no picture is touched before it is asked for.
"""
