
import shutil
def test_x(deliver_shots):
    for n in ("one size","free size"):
        d=deliver_shots(n); print(d)
        shutil.rmtree(f"/tmp/play-exp/{n.replace(' ','-')}",ignore_errors=True)
        shutil.copytree(d.folder,f"/tmp/play-exp/{n.replace(' ','-')}")
