"""The catalogues of translations: `update` makes and updates them, `checks` finds mistakes in one."""
