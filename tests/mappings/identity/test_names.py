"""One name, however it is written."""

import pytest

from mappings.identity.names import first_key, last_key, token, town


@pytest.mark.parametrize(
    "spellings",
    [
        "Нұргүл Нургуль Nurgul Nurgül",
        "Қайрат Кайрат Kairat Qayrat",
        "Юлия Yuliya Iuliia Julia Юля",
        "Артём Артем Artyom Artem Тёма",
        "Жанна Zhanna Janna",
        "Хасан Khasan Hasan",
        "Шолпан Sholpan Şolpan",
        "Евгений Yevgeniy Evgeny Evgenii",
        "Наталья Наталия Natalya Natalia Наташа",
        "Джамиля Жамиля Jamilya",
        "Ержан Yerzhan Erzhan Erjan",
        "Виктор Victor Viktor",
        "Николай Nikolay Nikolai Nikolaj",
        "Айгүл Aygul Aigul Ajgul",
        "Ілияс Илияс Iliyas Ilijas",
        "Дарья Darya Daria Darja Даша",
        "Татьяна Tatyana Tatiana Tatjana Tanja",
    ],
)
def test_a_first_name_has_one_key_in_three_scripts(spellings):
    assert len({first_key(spelling) for spelling in spellings.split()}) == 1


@pytest.mark.parametrize(
    "family",
    [
        "Иванов Иванова Ivanova",
        "Соловьёв Соловьева Solovyev",
        "Достоевский Достоевская Dostoyevskaya",
        "Алексеев Alexeyeva",
        "Нұрланұлы Нұрланқызы",
        "Цой Tsoy Tsoi",
    ],
)
def test_a_surname_does_not_tell_man_from_woman(family):
    assert len({last_key(spelling) for spelling in family.split()}) == 1


def test_different_names_keep_different_keys():
    names = "Айгүл Айгерим Алия Алина Асель Марат Мурат Дана Динара Жанар Жанна Яна Анна Сергей Серик Ким Цой "
    names += "Айжан Аян Әлижан"
    assert len({first_key(name) for name in names.split()}) == len(names.split())


def test_a_word_in_place_of_a_name_is_nobody():
    assert all(token(word).nobody for word in ("Клиент", "ТЕСТ", "Guest", "Сатыпалушы"))
    assert not token("Клим").nobody


def test_an_initial_is_one_letter_whatever_its_sound():
    assert token("Ш").first == "s" == first_key("Шолпан")[0]


def test_the_initial_of_olga_is_no_legal_form():
    """`Иванова О.` is somebody; `ООО Ромашка` is not."""
    assert (token("о").nobody, token("ООО").nobody) == (False, True)


def test_a_town_is_one_under_its_old_and_new_names():
    assert town("г. Алматы") == town("Almaty") == town("Алма-Ата")
    assert town("Нур-Султан") == town("Astana") == town("Целиноград")
    assert town("12") is None
