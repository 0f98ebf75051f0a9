"""UCF101 and Kinetics-700 as frames."""

from __future__ import annotations

import pytest

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def ucf(tmp_path):
    lists = tmp_path / "ucf101/ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "testlist01.txt").write_text(
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\nHandstandPushups/v_HandStandPushups_g01_c02.avi\r\n"
        "YoYo/v_YoYo_g01_c01.avi\r\n"
    )
    (lists / "trainlist02.txt").write_text("YoYo/v_YoYo_g25_c05.avi 101\n")
    return tmp_path / "ucf101"


def test_ucf101_with_a_picture_for_each_video(ucf):
    frames = ucf / "UCF-101-midframes"
    touch(frames / "Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c01.jpg")
    touch(frames / "Hand_Stand_Pushups/v_HandstandPushups_g01_c02.jpg")
    touch(frames / "Yo_Yo/v_YoYo_g01_c01.jpg")
    touch(frames / "Yo_Yo/v_YoYo_g25_c05.png")
    data_set = load_declaration("ucf101").open(ucf.parent)
    named = {item.key: data_set.classes[item.label].name for item in data_set.items}
    assert named == {
        "UCF-101-midframes/Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c01.jpg": "Apply Eye Makeup",
        "UCF-101-midframes/Hand_Stand_Pushups/v_HandstandPushups_g01_c02.jpg": "Hand Stand Pushups",
        "UCF-101-midframes/Yo_Yo/v_YoYo_g01_c01.jpg": "Yo Yo",
    }
    (item,) = data_set.other("train2").items
    assert (item.key, item.label) == ("UCF-101-midframes/Yo_Yo/v_YoYo_g25_c05.png", 100)


@pytest.mark.parametrize(("count", "middle"), [(1, 1), (2, 2), (5, 3), (12, 7)])
def test_the_middle_of_a_folder_of_frames_by_their_numbers(count, middle, ucf):
    folder = ucf / "frames/YoYo/v_YoYo_g25_c05"
    for number in range(1, count + 1):
        touch(folder / f"frame{number}.jpg")
    touch(folder / "flow.txt")
    (item,) = load_declaration("ucf101").open(ucf.parent, "train2").items
    assert item.picture.name == f"frame{middle}.jpg"


def test_a_listed_video_without_a_frame_is_an_error(ucf):
    touch(ucf / "UCF-101-midframes/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.jpg")
    (ucf / "UCF-101-midframes/HandstandPushups/v_HandStandPushups_g01_c02").mkdir(parents=True)
    with pytest.raises(DataError, match="no frame of 'HandstandPushups/v_HandStandPushups_g01_c02"):
        load_declaration("ucf101").open(ucf.parent)


def test_a_listed_class_that_is_none_is_an_error(ucf):
    (ucf / "frames").mkdir()
    (ucf / "ucfTrainTestlist/testlist03.txt").write_text("Sleeping/v_Sleeping_g01_c01.avi\n")
    with pytest.raises(DataError, match="'sleeping' is none of the 101 classes"):
        load_declaration("ucf101").open(ucf.parent, "test3")


def test_the_videos_themselves_are_no_frames(ucf):
    touch(ucf / "UCF-101/YoYo/v_YoYo_g01_c01.avi")
    with pytest.raises(DataError, match=r"UCF-101-midframes is missing; .* videos are not decoded"):
        load_declaration("ucf101").open(ucf.parent)


HEADER = "label,youtube_id,time_start,time_end,split\n"


def test_kinetics_leaves_out_what_is_gone(tmp_path):
    root = tmp_path / "kinetics700"
    touch(root / "val/abseiling/-3B32lodo2M_000059_000069.jpg")
    touch(root / "val/hugging (not baby)/0-_aBc_000003_000013/0001.jpg")
    touch(root / "val/zumba/a_B_000001_000011.jpg")
    touch(root / "val/zumba/A_b_000001_000011.jpg")
    (root / "val.csv").write_text(
        HEADER + "abseiling,-3B32lodo2M,59,69,val\nabseiling,gone,1,11,val\n"
        '"hugging (not baby)",0-_aBc,3,13,val\nzumba,A_b,1,11,val\n'
    )
    data_set = load_declaration("kinetics700").open(tmp_path)
    assert (data_set.split, data_set.metric) == ("val", "mean_top1_top5")
    assert [(item.key, data_set.classes[item.label].name) for item in data_set.items] == [
        ("val/abseiling/-3B32lodo2M_000059_000069.jpg", "abseiling"),
        ("val/hugging (not baby)/0-_aBc_000003_000013/0001.jpg", "hugging (not baby)"),
        ("val/zumba/A_b_000001_000011.jpg", "zumba"),
    ]


def test_kinetics_frames_may_lie_in_one_folder(tmp_path):
    touch(tmp_path / "kinetics700/val/-3B32lodo2M_000059_000069.jpg")
    lists = tmp_path / "kinetics700/annotations"
    lists.mkdir()
    (lists / "validate.csv").write_text(HEADER + "zumba,-3B32lodo2M,59,69,validate\n")
    (item,) = load_declaration("kinetics700").open(tmp_path).items
    assert (item.key, item.label) == ("val/-3B32lodo2M_000059_000069.jpg", 699)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("zumba,gone,1,11,val\n", "a frame of none of the videos"),
        ("zumba,x,one,11,val\n", "no number of seconds: 'one'"),
        ("sleepwalking,x,1,11,val\n", "none of the 700 classes"),
        ("zumba,x\n", "line 2 has 2 columns, too few"),
    ],
)
def test_lists_that_do_not_fit_are_errors(rows, said, tmp_path):
    (tmp_path / "kinetics700/val").mkdir(parents=True)
    (tmp_path / "kinetics700/val.csv").write_text(HEADER + rows)
    with pytest.raises(DataError, match=said):
        load_declaration("kinetics700").open(tmp_path)


def test_a_list_without_a_column_says_which(tmp_path):
    (tmp_path / "kinetics700/val").mkdir(parents=True)
    (tmp_path / "kinetics700/val.csv").write_text("label,youtube_id\nzumba,x\n")
    with pytest.raises(DataError, match=r"no column 'time_start' \(available: label, youtube_id\)"):
        load_declaration("kinetics700").open(tmp_path)
