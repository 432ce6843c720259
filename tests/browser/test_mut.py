import re
from tests.browser import screens
from tests.browser.test_accessibility import *
from tests.browser.conftest import *
BAD="""s => { const c = new CSSStyleSheet(); c.replaceSync(s); document.adoptedStyleSheets=[c]; }"""
def test_m(visit):
    v=visit(); st=screens.Stage(v); p=v.page
    st.show(screens.named("log-in"))
    p.evaluate(BAD,"button{border:0 !important;background:none!important} h1{transition:color 1s} .primary{min-block-size:20px!important;padding:0!important} p{inline-size:700px}")
    f=list(faults_of(p,"desktop")); print(*f,sep="\n")
    st.show(screens.named("log-in")); p.evaluate(BAD,":focus-visible{outline:0!important}")
    p.keyboard.press("Tab"); print(p.evaluate(LOOK))
