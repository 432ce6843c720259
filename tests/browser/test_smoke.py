import time, pytest
from tests.browser import screens
@pytest.mark.parametrize("layout", ["desktop","android","iphone"])
def test_x(site, visit, layout):
    t=time.time()
    v=visit(layout)
    stage = screens.Stage(v)
    for s in screens.of(layout):
        try: stage.show(s)
        except Exception as e: print("!!", s.name, type(e), str(e)[:300])
        print(s.name, v.page.title(), round(time.time()-t,2)); t=time.time()
        if s.has_fields:
            try: stage.show_wrong(s)
            except Exception as e: print("!!wrong", s.name, type(e), str(e)[:300])
            print("  ", v.page.title(), round(time.time()-t,2)); t=time.time()
