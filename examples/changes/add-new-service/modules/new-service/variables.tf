variable "cluster_arn" {
  description = "Cluster on which the service runs."
  type        = string
}

variable "placeholder_task_definition_arn" {
  description = "What the service runs until its application is first deployed."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in which the tasks run."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
}

variable "desired_count" {
  description = "How many tasks."
  type        = number
}
