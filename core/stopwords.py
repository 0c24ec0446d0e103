"""Words that say nothing about a text's topic, lower-cased and without accents, by language."""

_ENGLISH = """
a about above according across actually after afterwards again against all almost alone along already also although
always am among amongst an and another any anybody anyhow anyone anything anyway anywhere apart are aren around as
aside ask at available away back be became because become becomes becoming been before beforehand behind being below
beside besides best better between beyond both but by ca came can cannot certain clearly come comes concerning could
couldn currently describe described despite did didn different do does doesn doing don done down during each either
else elsewhere enough entirely especially etc even ever every everybody everyone everything everywhere exactly example
except explain far few following for from further furthermore gave general generally get gets getting give given gives
go goes going gone got had hadn happen happens hardly has hasn have haven having he hello hence her here hereby hers
herself hey hi him himself his hither how however i ie if in indeed inside instead into involve involved involves inward
is isn it its itself just keep keeps kept know known knows largely last lately later latter least less lest let like
likely little ll look looking made mainly make makes making many may maybe me mean means meanwhile mentioned merely
might mine more moreover most mostly much must my myself namely near nearly necessary need needed needs neither never
nevertheless next no nobody non none nonetheless noone nor normally not nothing now nowhere obviously of off often oh
ok okay on once one ones only onto or other others otherwise ought our ours ourselves out outside over overall own
particular particularly per perhaps please possible possibly presumably probably provide provided provides quite
rather re really regarding regardless related relatively respectively said same saw say says see seem seemed seems
seen self several shall shan she should shouldn show showed shown shows significantly similar similarly simply since
so some somebody somehow someone something sometime sometimes somewhat somewhere soon specifically still such take
taken takes tell than thank thanks that the their theirs them themselves then thence there thereafter thereby
therefore therein thereupon these they thing things this those though through throughout thru thus to together too
toward towards tried tries try trying under unless unlike until unto up upon use used uses using usually various
ve very via was wasn way we well went were weren what whatever when whence whenever where whereas whereby wherein
whereupon wherever whether which while whither who whoever whole whom whose why will with within without wo won
would wouldn yes yet you your yours yourself yourselves d s t m eg ie vs etc
"""

_GERMAN = """
ab aber bekomme bekommen bekommt brauche brauchen braucht lange mache macht
alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes anders auch auf aus
bei beim bereits bin bis bist bitte da dabei dadurch dafur dagegen daher damit danach dann daran darauf daraus darf
darin daruber darum das dass davon dazu dein deine deinem deinen deiner dem den denen denn der deren des deshalb
dessen dich die dies diese dieselbe diesem diesen dieser dieses dir doch dort du durch durfen ein eine einem einen
einer eines einige einigen einmal er es etwa etwas euch euer eure fur gegen gibt habe haben hallo hat hatte hatten
hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes
jedoch jene jetzt kann kannst kein keine keinem keinen keiner konnen konnte machen man manche mehr mein meine meinem
meinen meiner mich mir mit mochte muss mussen nach nachdem nein nicht nichts noch nun nur ob oder ohne sehr sei sein
seine seinem seinen seiner seit selbst sich sie sind so sobald sofern solche soll sollen sollte sondern sonst soviel
sowie uber um und uns unser unsere unseren unter viel viele vom von vor wann war waren warum was weder weil weiter
welche welchem welchen welcher welches wenn wer werde werden wessen wie wieder wieviel will wir wird wo wohin wurde
wurden zu zum zur zwar zwischen
"""

_FRENCH = """
a ai ainsi alors apres as au aucun aucune aujourd aupres aussi autre autres aux avait avant avec avez avoir avons
beaucoup bien bonjour c ca car ce ceci cela celle celles celui cependant ces cet cette ceux chaque chez combien comme
comment d dans de deja depuis des doit doivent donc dont du elle elles en encore entre es est et etaient etais etait
etant ete etre eu eux faire fait faut font hui ici il ils j je jusqu l la le les leur leurs lors lorsqu lorsque lui m
ma mais me meme memes merci mes mien moi moins mon n ne ni non nos notre nous on ont ou par parce pas pendant peu
peut peuvent peux plus plusieurs pour pourquoi puis puisque qu quand que quel quelle quelles quels qui quoi s sa
sans se selon sera serait ses si sinon son sont sous sur t ta te tes toi ton tous tout toute toutes tres tu un une
vers voici voila vos votre vous vers y
"""

_SPANISH = """
a al algo alguna algunas alguno algunos ante antes aquel aquella aquello asi aun aunque bajo bien cada casi como con
contra cual cuales cualquier cuando cuanta cuantas cuanto cuantos de debe deben debo del desde despues donde dos
durante e el ella ellas ello ellos en entonces entre era eran eres es esa esas ese eso esos esta estaba estaban
estado estamos estan estar estas este esto estos estoy fue fueron gracias ha haber habia han has hasta hay haya he
hola la las le les lo los mas me mi mientras mis mucho muchos muy nada ni no nos nosotros nuestra nuestro o os otra
otras otro otros para pero poco por porque pueda puede pueden puedo pues que quien quienes se sea sean segun ser si
sido siempre sin sino sobre solo son soy su sus tal tambien tampoco tan tanto te tener tengo ti tiene tienen toda
todas todo todos tras tu tus un una unas uno unos usted ustedes y ya yo
"""

STOP_WORDS = {
    "en": frozenset(_ENGLISH.split()),
    "de": frozenset(_GERMAN.split()),
    "fr": frozenset(_FRENCH.split()),
    "es": frozenset(_SPANISH.split()),
}
