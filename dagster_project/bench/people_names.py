"""Names for invented people: Russian spelling, Kazakh spelling, four ways of Latin."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.object_]

KAZAKH_MEN = (
    "Нұрлан Серік Ерлан Бауыржан Қайрат Марат Дәурен Асхат Болат Ержан Тимур Алмас Азамат Арман Айдос Дархан Руслан "
    "Данияр "
    "Жандос Санжар Нұрсұлтан Мұрат Қанат Талғат Самат Ербол Жасұлан Бекзат Олжас Әділет Мейрам Сәкен Ғалым Төлеген "
    "Өмірбек "
    "Рустам Ілияс Алишер Мирас Әлихан Ислам Диас Ернар Бекжан Мақсат Нұржан Абай Досжан Еркебұлан Қуаныш"
)
KAZAKH_WOMEN = (
    "Айгүл Гүлнара Динара Әсел Айжан Сәуле Мәдина Жанар Алия Алина Айгерім Камила Зарина Назгүл Ботагөз Гүлмира "
    "Ләззат Шолпан "
    "Айнұр Әйгерім Мөлдір Аружан Томирис Інжу Ақмарал Перизат Жібек Бақыт Қарлығаш Меруерт Самал Дана Дильназ Аяулым "
    "Раушан "
    "Жұлдыз Әлия Индира Салтанат Жанна Толғанай Ұлжан Фариза Гаухар Балжан Сандуғаш Райхан Күләш Еркежан Нұргүл"
)
RUSSIAN_MEN = (
    "Александр Сергей Дмитрий Андрей Алексей Максим Евгений Иван Михаил Артём Николай Владимир Виктор Игорь Олег Юрий "
    "Роман "
    "Павел Антон Денис Константин Илья Кирилл Пётр Фёдор Вячеслав Григорий Степан Борис Валерий"
)
RUSSIAN_WOMEN = (
    "Елена Ольга Наталья Татьяна Ирина Анна Светлана Екатерина Мария Юлия Анастасия Людмила Галина Оксана Валентина "
    "Виктория "
    "Дарья Ксения Марина Лариса Полина Вера Надежда Любовь Софья Евгения Алёна Яна Маргарита Александра"
)
SHORT = dict(
    pair.split("-")
    for pair in [
        "Александр-Саша",
        "Сергей-Серёжа",
        "Дмитрий-Дима",
        "Алексей-Лёша",
        "Максим-Макс",
        "Евгений-Женя",
        "Иван-Ваня",
        "Михаил-Миша",
        "Артём-Тёма",
        "Николай-Коля",
        "Владимир-Вова",
        "Виктор-Витя",
        "Юрий-Юра",
        "Роман-Рома",
        "Павел-Паша",
        "Елена-Лена",
        "Ольга-Оля",
        "Наталья-Наташа",
        "Татьяна-Таня",
        "Ирина-Ира",
        "Анна-Аня",
        "Светлана-Света",
        "Екатерина-Катя",
        "Мария-Маша",
        "Юлия-Юля",
        "Анастасия-Настя",
        "Галина-Галя",
        "Виктория-Вика",
        "Дарья-Даша",
        "Ксения-Ксюша",
        "Софья-Соня",
        "Александра-Саша",
        "Евгения-Женя",
        "Константин-Костя",
        "Пётр-Петя",
        "Нұрлан-Нурик",
    ]
)
_STEMS = (
    "Нур Бек Сар Тул Ал Кул Ер Жан Ай Дос Мур Ом Аб Кас Тас Исм Рах Сад Кен Ос Ес Бай Сул Юс Аж Мам Кад Ток Шай Жум"
)
_TAILS = "абаев беков женов ымов ганов галиев тбаев ылов мухамедов канов тасов шинов утаев ибеков жанов рбаев имов енов"
_RUSSIAN = (
    "Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов Волков Алексеев Лебедев "
    "Семёнов "
    "Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров Зайцев Соловьёв Борисов Яковлев "
    "Григорьев "
    "Романов Воробьёв Сергеев Кузьмин Фролов Щербаков Цветков Юдин Хохлов Чернышёв Жуков Шевченко Бондаренко Ткаченко "
    "Ковальский "
    "Островский Вишневский Ким Цой Пак Ли Шмидт Вебер Мельник Гончар"
)
_STREETS = (
    "Абая Достык Назарбаева Сатпаева Толе_би Жандосова Тимирязева Ауэзова Гоголя Фурманова "
    "Манаса Розыбакиева Мира Сейфуллина"
)

CITIES = np.array(
    [
        city.split("/")
        for city in [
            "Алматы/г. Алматы",
            "Астана/Astana",
            "Шымкент/Shymkent",
            "Караганда/Karaganda",
            "Актобе/г. Актобе",
            "Тараз/Taraz",
            "Павлодар/Pavlodar",
            "Семей/Семей",
            "Атырау/Atyrau",
            "Актау/Aktau",
        ]
    ],
    object,
)

_FOLD = str.maketrans("әғқңөұүһіӘҒҚҢӨҰҮҺІ", "агкноуухиАГКНОУУХИ")
_PLAIN = dict(zip("абвгдезиклмнопрстуфыэ", "abvgdeziklmnoprstufye", strict=True)) | {"ь": "", "ъ": ""}
_STYLES = (
    {"ж": "zh", "х": "kh", "й": "y", "я": "ya", "ю": "yu", "ё": "yo", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch"},
    {"ж": "zh", "х": "kh", "й": "i", "я": "ia", "ю": "iu", "ё": "e", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch"},
    {
        "ж": "j",
        "х": "h",
        "й": "y",
        "я": "ya",
        "ю": "yu",
        "ё": "e",
        "ц": "c",
        "ч": "ch",
        "ш": "sh",
        "щ": "sch",
        "ы": "i",
    },
    {
        "ж": "zh",
        "х": "h",
        "й": "i",
        "я": "ya",
        "ю": "iu",
        "ё": "io",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "sh",
        "к": "q",
    },
)


def latin(word: str, style: int) -> str:
    table = _PLAIN | _STYLES[style]
    return "".join(table.get(letter, letter) for letter in word.lower().translate(_FOLD)).capitalize()


def _woman(surname: str) -> str:
    if surname.endswith(("ов", "ев", "ёв", "ин")):
        return surname + "а"
    return surname[:-2] + "ая" if surname.endswith("ский") else surname


@dataclass(frozen=True)
class _First:
    """Indices into the list of first names: `of[people, man]`, people 0 Kazakh, 1 Russian."""

    words: tuple[str, ...]
    of: dict[tuple[int, int], NDArray[np.int64]]


@dataclass(frozen=True)
class _Surnames:
    men: tuple[str, ...]
    kin: NDArray[np.int64]


@dataclass(frozen=True)
class _Ways:
    """`first[way, name]`, `last[way * 2 + woman, surname]`, `short[name]`; way 0 Russian, 1-4 Latin, 5 Kazakh."""

    first: Words
    last: Words
    short: Words
    streets: Words


def _first() -> _First:
    groups = {(0, 1): KAZAKH_MEN, (0, 0): KAZAKH_WOMEN, (1, 1): RUSSIAN_MEN, (1, 0): RUSSIAN_WOMEN}
    words = tuple(dict.fromkeys(" ".join(groups.values()).split()))
    return _First(
        words, {who: np.array([words.index(name) for name in names.split()]) for who, names in groups.items()}
    )


def _surnames() -> _Surnames:
    kazakh = [stem + tail for stem, tail in product(_STEMS.split(), _TAILS.split())]
    russian = _RUSSIAN.split()
    men = [name for both in zip(kazakh, russian * 10, strict=False) for name in both] + kazakh[len(russian) * 10 :]
    men = list(dict.fromkeys(men))
    np.random.default_rng(1).shuffle(men)
    return _Surnames(tuple(men), np.array([int(name in russian) for name in men]))


def _ways(first: _First, surnames: _Surnames) -> _Ways:
    def spelled(word: str) -> list[str]:
        russian = word.translate(_FOLD)
        return [russian, *(latin(word, style) for style in range(4)), word]

    both = [(name, _woman(name)) for name in surnames.men]
    last = np.array(
        [[way for pair in zip(spelled(man), spelled(woman), strict=True) for way in pair] for man, woman in both],
        object,
    )
    return _Ways(
        np.array([spelled(name) for name in first.words], object).T,
        last.T,
        np.array([SHORT.get(name, name.translate(_FOLD)) for name in first.words], object),
        np.array([f"ул. {street.replace('_', ' ')}" for street in _STREETS.split()], object),
    )


FIRST = _first()
SURNAMES = _surnames()
WAYS = _ways(FIRST, SURNAMES)
