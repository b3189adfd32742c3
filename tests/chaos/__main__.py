import sys, time, traceback, logging
from tests.chaos import cells, deaths, kills, moves, stores, twins, names, timeouts, secret
from tests.chaos.scenario import *
def main():
    logging.disable()
    only=sys.argv[1:]; bad=0; tot=Measured(); n=0
    with Stage(1) as stage:
        for sc in [*cells.scenarios(), *deaths.scenarios(), *kills.scenarios(4), *moves.scenarios(), *stores.scenarios(40), *twins.scenarios(), *names.scenarios(), *timeouts.scenarios(), *secret.scenarios()]:
            if only and not any(o in sc.name for o in only): continue
            t=time.time(); s="ok"; n+=1
            try: tot+=stage.play(sc)
            except AssertionError as e: s="BROKEN "+str(e)[:600]; bad+=1
            except Exception as e: s="ERROR "+traceback.format_exc()[-1500:]; bad+=1
            if s!="ok" or time.time()-t>2: print(f"{time.time()-t:.2f} {sc.name} {s}",flush=True)
    print("bad",bad,"of", n, tot)
if __name__=="__main__": main()
