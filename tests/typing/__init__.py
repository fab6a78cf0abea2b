"""Files for the static checker: calls as users write them, and what it must refuse.

::

    make test --> mypy --> calls.py: every assert_type and every type: ignore here must be right
"""
