package environment

import (
	"fmt"
	"slices"
	"strings"
)

// FargateMemory returns the memory sizes, in MiB, that Fargate offers for a number of CPU units, or nil.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func FargateMemory(cpu int) []int {
	every := func(from, to, step int) []int {
		var sizes []int
		for size := from; size <= to; size += step {
			sizes = append(sizes, size*1024)
		}
		return sizes
	}
	switch cpu {
	case 256:
		return []int{512, 1024, 2048}
	case 512:
		return every(1, 4, 1)
	case 1024:
		return every(2, 8, 1)
	case 2048:
		return every(4, 16, 1)
	case 4096:
		return every(8, 30, 1)
	case 8192:
		return every(16, 60, 4)
	case 16384:
		return every(32, 120, 8)
	}
	return nil
}

func (l *problemList) fargate(path string, cpu, memory int) {
	sizes := FargateMemory(cpu)
	switch {
	case sizes == nil:
		l.add(path+".cpu", "give 256, 512, 1024, 2048, 4096, 8192 or 16384", "Fargate has no task of %d CPU units", cpu)
	case !slices.Contains(sizes, memory):
		l.add(path+".memory", fmt.Sprintf("with %d CPU units give %s", cpu, sizeList(sizes)),
			"Fargate has no task of %d CPU units with %d MiB", cpu, memory)
	}
}

func joinNumbers(values []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ", "), "[]")
}

func sizeList(sizes []int) string {
	if len(sizes) <= 4 {
		return joinNumbers(sizes)
	}
	return fmt.Sprintf("%d to %d in steps of %d", sizes[0], sizes[len(sizes)-1], sizes[1]-sizes[0])
}
