package lambdatest

// AwaitExits waits until all processes have ended.
func (f *Function) AwaitExits() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range f.all {
		<-in.exited
	}
}
