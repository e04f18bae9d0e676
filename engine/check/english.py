"""How common the sounds of English are, and the pairs of them inside words.

Source: the probabilities of single words in the American English language model of CMU Sphinx
(`en-us.lm.bin`, as pocketsphinx 5.0.4 brings it), the words read by `phonemes` as those of a
corpus are, so that its mistakes are the same on both sides.
"""

_SHARES = """
AA=2.00 AE=2.97 AH=8.99 AO=1.71 AW=0.72 AY=2.34 B=1.82 CH=0.45 D=4.25 DH=3.01 EH=2.99 ER=1.92
EY=1.52 F=1.73 G=0.97 HH=1.48 IH=6.28 IY=3.37 JH=0.57 K=3.15 L=3.78 M=2.79 N=7.10 NG=1.17 OW=1.70
OY=0.10 P=1.88 R=4.33 S=4.74 SH=0.62 T=7.85 TH=0.64 UH=0.46 UW=2.48 V=1.84 W=2.23 Y=1.38 Z=2.64
ZH=0.04
"""
_PAIRS = """
AA: R=63 N=53 T=45 Z=33 L=16 P=13 B=12 M=8 K=8 S=7 D=7 CH=3 JH=2 G=2 F=2
AE: T=105 N=70 V=36 K=33 Z=32 D=23 S=20 M=15 P=14 F=10 L=9 B=8 NG=7 CH=4 SH=3 JH=3 G=2
AH: N=370 L=103 V=91 T=89 M=74 S=61 D=38 B=27 Z=21 P=20 DH=12 G=11 CH=9 K=8 F=8 JH=4 W=3 TH=2
   NG=2
AO: R=146 L=39 Z=13 F=9 NG=8 T=7 K=6 S=5 N=2
AW: T=33 N=19 Z=11 ER=10 S=3 D=2
AY: K=31 M=29 N=26 T=24 V=14 D=13 Z=9 L=7 S=6 R=4 F=4 ER=4 AH=4 IH=3 P=2
B: AH=49 IH=47 IY=37 AE=18 AW=16 L=14 R=11 AY=11 EH=9 ER=8 AA=7 AO=5 EY=4 OW=3 Y=2 UH=2 S=2
CH: IH=6 ER=6 UW=5 AH=5 EY=4 AE=3 IY=2 EH=2
D: IH=51 AH=34 UW=22 R=21 IY=20 OW=19 Z=17 ER=13 EY=12 EH=8 AA=7 AW=5 AE=4 AY=3 AO=3 V=2 L=2
DH: AH=180 AE=83 EH=50 EY=30 IH=23 ER=20 OW=7 IY=4 AW=2
EH: N=91 R=78 L=41 S=35 T=34 D=30 V=28 K=27 M=20 P=7 F=6 SH=4 G=4 JH=3 DH=3 Z=2 TH=2 NG=2 CH=2
   B=2
ER: Z=23 S=19 D=13 AH=13 N=11 K=10 IY=10 T=8 L=8 V=4 M=3 IH=3 AW=3 TH=2 P=2 JH=2 F=2 ER=2 CH=2
EY: T=28 K=18 SH=15 M=14 N=13 S=10 Z=9 D=9 B=9 L=7 V=4 JH=3 IH=3 P=2 ER=2
F: AO=58 R=24 IH=20 ER=13 AY=13 T=12 AH=11 AE=10 EH=9 IY=8 AA=6 L=5 Y=4 UH=3 EY=3 OW=2 AW=2
G: EH=25 OW=20 R=18 AA=13 AH=10 UH=8 Z=6 EY=6 IH=5 ER=4 AY=4 L=3 Y=2 AE=2
HH: AE=66 IY=27 IH=27 AH=15 AW=13 UW=10 EH=10 OW=9 ER=9 AA=8 AY=6 EY=3 Y=2
IH: NG=144 N=136 T=123 K=66 Z=65 S=59 L=58 F=38 R=30 M=27 DH=26 D=24 V=23 G=13 SH=12 P=10 JH=10
   CH=9 B=4 ZH=2
IY: Z=27 N=21 AH=21 P=18 V=14 L=14 D=13 T=11 S=8 M=8 K=7 IH=6 TH=5 W=4 OW=4 CH=4 R=3 ER=2 DH=2
   B=2
JH: AH=30 IH=7 EH=6 UW=4 ER=4 IY=3 AA=3 OY=2 D=2 AE=2
K: AH=59 S=42 T=29 AE=27 AO=25 IH=22 L=16 R=15 AA=15 EY=14 W=10 UH=8 EH=8 CH=6 Y=5 UW=5 SH=5 OW=5
   IY=5 ER=4 AY=4 AW=3
L: IY=82 AY=40 IH=37 AH=26 D=23 EH=20 EY=18 AE=17 AA=14 Z=13 OW=10 ER=10 AO=10 S=8 UH=7 T=7 UW=6
   F=5 V=4 Y=3 W=3 P=3 M=3 AW=3 TH=2 R=2
M: AH=44 AY=28 IY=26 IH=26 EY=22 EH=21 P=19 AO=16 Z=14 AE=13 OW=12 B=8 AA=8 TH=6 ER=4 Y=3 W=3
   UW=3 S=2 D=2
N: D=194 T=135 OW=49 S=38 AH=36 IY=34 AA=27 Z=22 IH=20 EH=13 AY=12 Y=10 L=9 JH=9 EY=9 AW=9 ER=6
   SH=5 F=5 V=4 K=4 TH=3 M=3 CH=3 AO=3 AE=3 UW=2
NG: K=24 Z=7 G=6
OW: N=33 L=16 Z=13 V=10 S=9 K=9 IH=9 M=6 T=5 P=5 D=4 TH=2 SH=2
OY: N=6
P: R=36 AH=30 L=22 IY=19 EH=17 AA=17 ER=16 IH=13 AE=9 AO=8 T=7 EY=7 S=6 OY=5 OW=5 UH=4 Y=3 AW=2
R: IH=65 IY=60 AH=56 EH=30 T=27 AY=26 AE=20 AA=18 UW=15 EY=15 Z=14 D=13 OW=11 M=7 S=6 K=5 AO=5
   N=4 R=3 L=3 JH=3 AW=3 G=2
S: T=139 AH=61 EH=47 IH=43 OW=33 P=23 IY=22 K=18 EY=14 ER=13 AY=11 M=5 L=5 AO=5 AE=5 W=3 UW=3
   AW=3 AA=3 CH=2
SH: AH=40 IY=11 UH=9 IH=5 OW=4 UW=2 EH=2 AA=2
T: UW=140 S=74 AH=55 IH=47 IY=46 ER=40 R=37 EH=22 EY=18 AY=17 L=12 AA=12 AO=10 AE=10 W=8 OW=6 M=3
   UH=2
TH: IH=38 R=11 AW=11 ER=4 AO=3 AE=3 S=2 IY=2
UH: D=37 K=11 R=9 T=4 L=3
UW: Z=13 N=8 L=8 AH=8 R=7 T=6 D=6 S=5 M=5 V=4 P=4 IH=4 ZH=2 K=2
V: ER=35 AH=21 IH=14 EH=13 IY=5 Z=4 D=4 Y=2 EY=2 AY=2 AE=2 AA=2
W: AH=56 IH=51 AA=47 EH=45 IY=31 ER=28 EY=17 UH=16 AY=13 AO=6 OW=2
Y: UW=127 AE=22 AO=15 IH=10 AH=10 EH=5 UH=3
Z: AH=25 D=7 IH=6 T=3 AE=3 IY=2
ZH: AH=3
"""

SHARES = {
    phoneme: float(percent) for phoneme, percent in (entry.split("=") for entry in _SHARES.split())
}
"""Share of each phoneme in percent."""


def _pairs() -> dict[tuple[str, str], int]:
    pairs = {}
    first = ""
    for entry in _PAIRS.split():
        if entry.endswith(":"):
            first = entry[:-1]
        else:
            second, share = entry.split("=")
            pairs[first, second] = int(share)
    return pairs


PAIRS = _pairs()
"""Share of each pair of neighbouring phonemes in hundredths of a percent; rarer ones than 0.015 %
are left out, 1.7 % of all."""
