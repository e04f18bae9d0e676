"""How English letters are read: tables for `engine.check.phonemes`."""

WHOLE_WORDS = """
a=AH and=AH.N.D the=DH.AH to=T.UW
of=AH.V i=AY you=Y.UW that=DH.AE.T is=IH.Z was=W.AA.Z have=HH.AE.V
they=DH.EY are=AA.R one=W.AH.N he=HH.IY she=SH.IY we=W.IY be=B.IY me=M.IY do=D.UW
does=D.AH.Z what=W.AH.T there=DH.EH.R their=DH.EH.R where=W.EH.R were=W.ER said=S.EH.D
who=HH.UW your=Y.AO.R some=S.AH.M come=K.AH.M done=D.AH.N gone=G.AO.N two=T.UW been=B.IH.N
his=HH.IH.Z has=HH.AE.Z as=AE.Z with=W.IH.DH this=DH.IH.S than=DH.AE.N then=DH.EH.N
them=DH.EH.M only=OW.N.L.IY these=DH.IY.Z those=DH.OW.Z though=DH.OW from=F.R.AH.M
very=V.EH.R.IY any=EH.N.IY many=M.EH.N.IY because=B.IH.K.AO.Z would=W.UH.D could=K.UH.D
should=SH.UH.D say=S.EY says=S.EH.Z us=AH.S yes=Y.EH.S people=P.IY.P.AH.L woman=W.UH.M.AH.N
women=W.IH.M.AH.N friend=F.R.EH.N.D great=G.R.EY.T put=P.UH.T again=AH.G.EH.N
against=AH.G.EH.N.S.T once=W.AH.N.S money=M.AH.N.IY other=AH.DH.ER mother=M.AH.DH.ER
brother=B.R.AH.DH.ER another=AH.N.AH.DH.ER nothing=N.AH.TH.IH.NG love=L.AH.V give=G.IH.V
live=L.IH.V move=M.UW.V prove=P.R.UW.V lose=L.UW.Z whose=HH.UW.Z son=S.AH.N won=W.AH.N
month=M.AH.N.TH eye=AY heart=HH.AA.R.T enough=IH.N.AH.F through=TH.R.UW thought=TH.AO.T
eight=EY.T hour=AW.ER four=F.AO.R pretty=P.R.IH.T.IY busy=B.IH.Z.IY sure=SH.UH.R
sugar=SH.UH.G.ER our=AW.ER idea=AY.D.IY.AH both=B.OW.TH most=M.OW.S.T father=F.AA.DH.ER
water=W.AO.T.ER want=W.AA.N.T also=AO.L.S.OW always=AO.L.W.EY.Z every=EH.V.ER.IY
ever=EH.V.ER never=N.EH.V.ER seven=S.EH.V.AH.N really=R.IH.L.IY real=R.IY.L year=Y.IH.R
yeah=Y.AE okay=OW.K.EY if=IH.F off=AO.F so=S.OW no=N.OW go=G.OW door=D.AO.R blood=B.L.AH.D
young=Y.AH.NG country=K.AH.N.T.R.IY half=HH.AE.F war=W.AO.R school=S.K.UW.L world=W.ER.L.D
word=W.ER.D work=W.ER.K person=P.ER.S.AH.N honest=AA.N.AH.S.T don't=D.OW.N.T won't=W.OW.N.T
can't=K.AE.N.T they're=DH.EH.R oh=OW ah=AA mr=M.IH.S.T.ER hi=HH.AY here=HH.IH.R
into=IH.N.T.UW today=T.AH.D.EY tonight=T.AH.N.AY.T tomorrow=T.AH.M.AA.R.OW area=EH.R.IY.AH
together=T.AH.G.EH.DH.ER guess=G.EH.S heard=HH.ER.D hear=HH.IH.R early=ER.L.IY
family=F.AE.M.AH.L.IY police=P.AH.L.IY.S quite=K.W.AY.T become=B.IH.K.AH.M allow=AH.L.AW
thousand=TH.AW.Z.AH.N.D hundred=HH.AH.N.D.R.AH.D maybe=M.EY.B.IY business=B.IH.Z.N.AH.S
around=ER.AW.N.D economy=IH.K.AA.N.AH.M.IY ok=OW.K.EY mrs=M.IH.S.IH.Z flood=F.L.AH.D
touch=T.AH.CH build=B.IH.L.D minute=M.IH.N.AH.T front=F.R.AH.N.T gold=G.OW.L.D
child=CH.AY.L.D wild=W.AY.L.D ninety=N.AY.N.T.IY between=B.IH.T.W.IY.N
"""
"""The commonest words whose spelling tells little, as `word=sounds`."""

RULES = r"""
^(a)[bcdfglmnprstv]V.*V=AH ^(a)(go|gr|br|cr|ro|wa|bo)=AH ^(al)(m|r|th|w)=AO.L (augh)=AO
    (au)nt=AE (au)=AO (aw)=AO (aigh)=EY S(ai)n$=AH (air)=EH.R (ai)=EY (ay)=EY (are)$=EH.R
    w(ar)=AO.R qu(ar)=AO.R S(ar)$=ER S[^h](ard)$=ER.D (arr)V=EH.R (ar)V=EH.R (ar)=AA.R
    S(age)$=IH.JH S(ace)$=AH.S (a)tion=EY S(ate)ly=AH.T [iu]c(ate)$=EY.T S[imr](ate)$=AH.T
    (a)ste$=EY (a)nge=EY (a)ble$=EY S(able)$=AH.B.AH.L S(ably)$=AH.B.L.IY S(ance)$=AH.N.S
    S(ant)=AH.N.T S(al)$=AH.L S(ally)$=AH.L.IY (al)k=AO (al)[td]=AO.L (all)$=AO.L (a)lm=AA
    (a)ther=AE b(a)si=EY ^(a)ll=AO w(a)[tns]=AA w(a)sh=AA (a)M=EY (a)C[ei][aou]=EY (a)CC=AE
    S(an)$=AH.N S(a)$=AH (a)$=AH S(a)CV=AH (a)C[ei]$=EY (a)=AE
(bb)=B m(b)$= (b)t$= (b)=B
s(ch)=K (ch)[rlm]=K ^(ch)[ao]r=K (ch)=CH (ck)=K (cc)[ei]=K.S (cc)=K (ci)[aeo]=SH s(c)[eiy]=
    (c)[eiy]=S (cqu)=K.W (c)=K
(dge)=JH (dg)=JH (dd)=D (d)u[acl]=JH (d)=D
(eigh)=EY (ei)r=EH c(ei)=IY (ei)=IY (eu)=Y.UW [rlj](ew)=UW ch(ew)=UW (ew)=Y.UW th(ey)=EY
    ^(ey)=AY S(ey)$=IY k(ey)=IY (ey)=EY (eous)$=IY.AH.S (eo)=IY.AH (eer)=IH.R (ee)=IY
    [bwp](ear)=EH.R (ear)[tnlc]=ER (ear)=IH.R (ea)d$=EH (ea)dy=EH (ea)lth=EH (ea)th$=EH
    (eau)t=Y.UW (ea)v(y|en)=EH (ea)su=EH (ea)ther=EH r(ea)l=IY cr(ea)t=IY.EY (ea)=IY
    ^(ex)V=IH.G.Z ^(ex)=IH.K.S (ere)$=IH.R (er)r=EH.R (er)i[ct]=EH.R (er)i=IH.R S(er)V=ER
    (er)[aio]=IH.R (er)=ER S(e)$= C(e)$=IY
    (e)(ly|ment|less|ful|ness|where|body|thing|one|time)$= ^[bdr](e)CV=IH S(el)$=AH.L
    S(en)$=AH.N S(ent)(s|ly)?$=AH.N.T S(ence)$=AH.N.S S(ency)$=AH.N.S.IY S(em)$=AH.M S(et)$=AH.T
    S(ess)$=AH.S S(est)$=AH.S.T (e)ther=EH (e)M=IY (e)Cio=IY (e)=EH
(ff)=F (f)=F S(ful)$=F.AH.L
(gg)=G i(gh)= (gh)t= ^(gh)=G (gh)= ^(gn)=N (gn)=N (gue)$=G (gu)[ei]=G (ge)o=JH ^(g)e[te]=G
    ^(g)i[vrf]=G (gi)[ou]=JH (g)[eiy]=JH (g)=G
(h)V=HH (h)=
(ire)$=AY.ER (ir)V=AY.R (irr)=IH.R (ir)=ER (ier)$=IY.ER (ie)f=IY (ie)[lv]=IY ^C+(ie)$=AY
    (ie)w=Y.UW (ie)t=AY.AH sc(ie)n=AY.AH (ie)nt=IY.AH (ien)=IY.AH.N (ie)=IY (igh)=AY (ign)=AY.N
    (i)nd$=AY (i)ld$=AY (io)n=Y.AH (iou)s=IY.AH (io)=IY.OW (i)que=IY S(ive)$=IH.V l(ine)$=AY.N
    S(ine)$=IH.N S(ite)$=AH.T S(ice)$=AH.S S(ile)$=AH.L ^C+(ia)=AY.AH (ial)$=IY.AH.L (ia)=IY.AH
    (iu)=IY.AH (i)fy=AH S(i)ty=AH (ically)$=IH.K.L.IY (i)bl=AH (i)sten=IH (i)M=AY (i)=IH
(j)=JH
^(kn)=N (k)=K
(ll)=L ou(l)d= a(l)[km]= C(le)$=AH.L (l)=L
(mm)=M (mn)$=M (m)=M
(nn)=N (ng)th=NG.K.TH (ng)$=NG [^a](ng)er$=NG.G.ER (n)g[eiy]=N (n)g=NG (n)k=NG (n)x=NG (n)q=NG
    (n)ct=NG (n)=N
(oar)=AO.R (oa)=OW (oe)=OW (oi)=OY (oy)=OY (oo)k=UH [gwth](oo)d=UH f(oo)t=UH (oor)=AO.R (oo)=UW
    (ough)t=AO r(ough)=AH.F t(ough)=AH.F (ough)=OW (our)=AO.R ^y(ou)=UW (ous)$=AH.S
    (ously)$=AH.S.L.IY (ou)[pbcs][l]=AH (ou)p=UW (ou)=AW ^(d|t|g|br|cr|dr|cl)(ow)n$=AW (ow)n$=OW
    (ow)[ned]=AW ^[nhcwbv](ow)=AW ll(ow)$=OW (ow)=OW w(or)[^ne]=ER S(or)$=ER (orr)=AA.R
    (ore)=AO.R (or)=AO.R [cl](o)st$=AO (o)st$=OW (o)th(er|ing)=AH ^(o)ver=OW (o)ve[nr]=AH
    S(on)$=AH.N i(on)=AH.N (o)l[dt]=OW (oll)$=OW.L (o)ng=AO (o)ss$=AO (o)ff=AO (o)ft=AO d(o)g=AO
    ^c(o)mC=AH ^c(o)nC=AH ^pr(o)[vt]=AH (ology)=AA.L.AH.JH.IY S(ory)$=ER.IY (o)$=OW (o)M=OW
    (o)[tc]i=OW (o)CC=AA (o)C$=AA ^C*(o)C[aeiouy]+C+V=AA ^C?(o)CV=OW S(o)C=AH (o)=AA
(ph)=F (pp)=P ^(ps)=S (p)=P
(que)$=K (qu)=K.W (q)=K
(rr)=R (rh)=R (r)=R
(ssion)=SH.AH.N [aeiour](sion)=ZH.AH.N (sion)=SH.AH.N (ssure)$=SH.ER (ss)u=SH (sure)$=ZH.ER
    V(s)u[ra]=ZH ^(s)ure=SH (sch)=S.K (sh)=SH (ss)=S i(s)l= (s)m$=Z.AH (s)tle=S [ou]u(s)e$=S
    ^[bc]a(s)e$=S cha(s)e$=S crea(s)e$=S [^p]lea(s)e$=S V(s)on$=Z [aou](s)e$=Z V(s)e$=Z V(s)M=Z
    V(s)y$=Z (s)=S
(tch)=CH ^(th)(e(?![aofmsr]|or)|eir|ere|ese|em$|at$|an$|is$|us$|ose$|ough$)=DH (th)er=DH
    V(th)e$=DH (th)=TH (tt)=T s(ti)on=CH (tion)=SH.AH.N (ti)[ae]=SH (tious)=SH.AH.S
    (ture)$=CH.ER (t)ua=CH (t)urV=CH (though)=DH.OW s(t)en= s(t)le= (t)=T
S(ul)[aeo]=Y.AH.L ^(un)[^i]=AH.N ^(u)CV=Y.UW b(ui)l=IH (ui)=UW (uy)=AY g(u)[aeio]= [jt](ure)$=ER
    g(ure)$=Y.ER p(ure)$=Y.UH.R S(ure)$=ER (ure)$=Y.UH.R (urr)=ER [cmpb](ur)V=Y.UH.R (ur)V=UH.R
    (ur)=ER f(u)ll=UH b(u)ll=UH p(u)[ls]=UH tr(u)=UW [rljdtsn](u)M=UW [rljdtsn](u)CV=UW (ue)$=UW
    (u)M=Y.UW (u)C[eiaou]=Y.UW [tds](ua)(?!t)=UW.AH (ua)(?!t)=Y.UW.AH (u)$=UW (u)=AH
(v)=V
(wh)o=HH (wh)=W ^(wr)=R S(ward)=W.ER.D (w)$= (w)=W
^(x)=Z (x)=K.S
^(y)V=Y ^C+(y)$=AY (y)M=AY S(y)=IY (y)$=IY (y)C=IH (y)=IY
(zz)=Z (z)=Z
"""
"""`before(letters)after=sounds`; of those for a letter the first that fits is taken.

Before and after are regular expressions in which C is a consonant, V a vowel, S a vowel and what
follows it, so that a syllable has passed, and M an end that makes a vowel long, as in "made".
"""
