import time
def test_x(site, visit):
    t=time.time()
    ada = site.person("ada"); ada.sign_up(); ada.turn_on_app(); print("setup",time.time()-t)
    t=time.time()
    v = visit(); v.become(ada); v.open("/"); v.arrives("Welcome, Ada Lovelace")
    print("open",time.time()-t); t=time.time()
    v.open("/settings"); print("open",time.time()-t); t=time.time()
    v.follow("Security and account access")
