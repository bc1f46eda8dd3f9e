package list

import (
	"slices"
	"strconv"
	"testing"
)

func even(n int) bool { return n%2 == 0 }

func TestMap(t *testing.T) {
	if got := Map([]int{1, 2}, strconv.Itoa); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("Map returned %v", got)
	}
	if got := Map([]int{}, strconv.Itoa); got != nil {
		t.Errorf("Map of an empty list returned %#v, want nil", got)
	}
}

func TestFilterKeepsTheList(t *testing.T) {
	items := []int{1, 2, 3, 4}
	if got := Filter(items, even); !slices.Equal(got, []int{2, 4}) || !slices.Equal(items, []int{1, 2, 3, 4}) {
		t.Errorf("Filter returned %v and left %v", got, items)
	}
}

func TestFind(t *testing.T) {
	items := []int{1, 2, 4}
	if got := Find(items, even); got != &items[1] {
		t.Errorf("Find returned %v, want the item of the list", got)
	}
	if got := Find(items[:1], even); got != nil {
		t.Errorf("Find returned %v, want nil", *got)
	}
}
